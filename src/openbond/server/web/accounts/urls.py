"""Sign-in and one's own account. allauth's views, under our addresses; it has none to sign up."""

from allauth.account import views as account
from allauth.socialaccount import views as social
from django.urls import URLPattern, URLResolver, include, path

from openbond.server.web.objects.table import SHEETS
from openbond.server.web.objects.urls import of

from .first_run import FirstRun, SignIn
from .password_links import ForgottenPassword, NewPassword, PasswordMail, UserPage
from .views import Account, Password, RevokeToken, Tokens

urlpatterns: list[URLPattern | URLResolver] = [
    path("first-run/", FirstRun.as_view(), name="first_run"),
    path("sign-in/", SignIn.as_view(), name="account_login"),
    path("sign-in/forgotten/", ForgottenPassword.as_view(), name="forgotten_password"),
    path("sign-in/password/<id:user>/<str:token>/", NewPassword.as_view(), name="new_password"),
    path("sign-in/inactive/", account.account_inactive, name="account_inactive"),
    path("sign-in/cancelled/", social.login_cancelled, name="socialaccount_login_cancelled"),
    path("sign-in/failed/", social.login_error, name="socialaccount_login_error"),
    path("sign-in/unknown/", social.signup, name="socialaccount_signup"),
    path("sign-in/with/", include("allauth.socialaccount.providers.openid_connect.urls")),
    path("sign-out/", account.logout, name="account_logout"),
    path("account/", Account.as_view(), name="account"),
    path("account/confirm/", account.reauthenticate, name="account_reauthenticate"),
    path("account/password/", Password.as_view(), name="account_change_password"),
    path("account/two-factor/", include("allauth.mfa.urls")),
    path("account/sessions/", include("allauth.usersessions.urls")),
    path("account/tokens/", Tokens.as_view(), name="tokens"),
    path("users/<id:pk>/", of(UserPage, SHEETS["users"]), name="users.one"),
    path("users/<id:pk>/password-mail/", of(PasswordMail, SHEETS["users"]), name="users.mail"),
    path("account/tokens/<int:pk>/revoke/", RevokeToken.as_view(), name="revoke_token"),
]
